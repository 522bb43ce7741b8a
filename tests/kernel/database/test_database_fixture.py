import psycopg
from sqlalchemy import NullPool, create_engine, inspect, make_url, text


def table_names(url: str) -> list[str]:
    engine = create_engine(url, poolclass=NullPool)
    return inspect(engine).get_table_names()


def count(url: str) -> int:
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string()) as connection:
        row = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
        assert row
        return int(row[0])


def test_the_database_is_migrated(database_url: str) -> None:
    assert "alembic_version" in table_names(database_url)


def test_a_test_may_leave_rows_and_open_transactions(database_url: str) -> None:
    left_open = create_engine(database_url, poolclass=NullPool, pool_reset_on_return=None).connect()
    left_open.execute(text("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', '{}')"))
    left_open.commit()
    left_open.execute(text("SELECT count(*) FROM procrastinate_jobs"))
    assert count(database_url) == 1


def test_the_next_test_finds_neither(database_url: str) -> None:
    assert count(database_url) == 0
