"""A person with a browser without a window, against a running server: follows links and presses buttons."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2


class _Forms(HTMLParser):
    """The forms of a page: where each goes, and its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], set[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), {}, set()))
        elif tag == "input" and self.found and "name" in given:
            self.found[-1][1][given["name"]] = given.get("value", "")
        elif tag == "button" and self.found and "name" in given:
            self.found[-1][2].add(given["name"])


class PersonWithBrowser:
    """Somebody who signs in when asked and agrees to share."""

    def __init__(self, base_url: str, run: str, password: str, http: httpx2.Client | None = None) -> None:
        self.base_url, self.run, self.password = base_url, run, password
        self.http = http or httpx2.Client(follow_redirects=False, timeout=30)

    def go(self, url: str) -> str:
        """Follow an application's link; the address outside of the provider at which the browser ends."""
        response = self.http.get(url)
        for _ in range(12):
            if response.is_redirect:
                url = urljoin(str(response.url), response.headers["Location"])
                if not url.startswith(f"{self.base_url}/"):
                    return url
                response = self.http.get(url)
            else:
                response = self._fill_in(response)
        raise AssertionError("the way has no end")

    def visit(self, url: str) -> str:
        """Open a page of the provider and do what it asks; the page at which that ends."""
        response: httpx2.Response | None = self.http.get(url)
        for _ in range(12):
            assert response
            page = response
            if page.is_redirect:
                response = self.http.get(urljoin(str(page.url), page.headers["Location"]))
            else:
                response = self._fill_in_if_asked(page)
            if response is None:
                return page.text
        raise AssertionError("the way has no end")

    def leave(self) -> None:
        """Sign out at the provider, without a word to the applications."""
        page = self.http.get(f"{self.base_url}/openid/end-session")
        for action, fields, _ in _Forms(page.text).found:
            if action.endswith("/openid/end-session/confirm"):
                left = self.http.post(urljoin(str(page.url), action), data=fields)
                assert left.is_redirect, left.text
                return
        raise AssertionError(page.text[:2000])

    def _fill_in(self, response: httpx2.Response) -> httpx2.Response:
        done = self._fill_in_if_asked(response)
        assert done, f"{response.status_code} {response.url}: nothing to do here\n{response.text[:2000]}"
        return done

    def _fill_in_if_asked(self, response: httpx2.Response) -> httpx2.Response | None:
        for action, fields, buttons in _Forms(response.text).found:
            place = urljoin(str(response.url), action)
            if "password" in fields:
                return self.http.post(place, data={**fields, "run": self.run, "password": self.password})
            if "decision" in buttons:
                return self.http.post(place, data={**fields, "decision": "allow"})
            if "user_code" in fields:
                return self.http.post(place, data=fields)
        return None
