"""Interface documents: read, held against their standard, and brought to OpenAPI 3 where they are older.

Pure functions, from bottom to top: findings (what is said of a document and where) < json_text | yaml_text (text to
data, and a place back to its line) < shapes (a standard as a table, and a document held against it) < the tables of
OpenAPI 3 and of Swagger 2.0 < references | paths (what no table can say) < swagger (conversion) < reader.
"""
