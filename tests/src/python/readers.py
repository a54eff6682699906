"""Reads one table with every reader and every filter; prints what each found."""
import json, sys
from datetime import date
import duckdb, polars, pyarrow.dataset as ds
from deltalake import DeltaTable, QueryBuilder

where, cases = sys.argv[1], json.loads(sys.argv[2])


def pyarrow_filter(filters):
    """A filter as these readers take it: conditions, or whether a column is null."""
    if filters and filters[0][1] == "is null":
        return ds.field(filters[0][0]).is_null()
    return [
        (column, operator, date.fromisoformat(value) if column == "day" else value)
        for column, operator, value in filters
    ] or None


def readers(table, sql, filters):
    where_sql = f" where {sql}" if sql else ""
    conditions = pyarrow_filter(filters)
    yield "to_pandas", lambda: len(table.to_pandas(filters=conditions))
    yield "to_pyarrow_table", lambda: table.to_pyarrow_table(filters=conditions).num_rows
    connection = duckdb.connect()
    connection.register("activities", table.to_pyarrow_dataset())
    yield "duckdb", lambda: connection.execute(f"select count(*) from activities{where_sql}").fetchall()[0][0]
    for name, options in [("polars", {}), ("polars with pyarrow", {"use_pyarrow": True})]:
        lazy = polars.scan_delta(where, **options)
        yield name, lambda lazy=lazy: (lazy.filter(polars.sql_expr(sql)) if sql else lazy).collect().height
    query = QueryBuilder().register("t", table)
    yield "datafusion", lambda: query.execute(f"select count(*) as n from t{where_sql}").read_all()["n"][0].as_py()


found = {}
for name, sql, filters in cases:
    for reader, count in readers(DeltaTable(where), sql, filters):
        try:
            found[f"{reader}: {name}"] = count()
        except Exception as error:
            found[f"{reader}: {name}"] = f"{type(error).__name__}: {error}"
files = DeltaTable(where).to_pyarrow_dataset()
opened = {
    name: len(list(files.get_fragments(filter=ds.field(filters[0][0]) == filters[0][2])))
    for name, _, filters in cases
    if filters and len(filters) == 1 and filters[0][1] == "=" and isinstance(filters[0][2], str)
}
print(json.dumps({"found": found, "opened": opened}))
