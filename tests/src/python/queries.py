"""Runs each query in each engine over one table; prints the rows that each found, as JSON."""
import decimal, json, sys
import duckdb, polars
from deltalake import DeltaTable, QueryBuilder

where, queries = sys.argv[1], json.loads(sys.argv[2])
table = DeltaTable(where)
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
connection.register("activities", table.to_pyarrow_dataset())
lazy = polars.SQLContext(activities=polars.scan_delta(table))
fusion = QueryBuilder().register("activities", table)


def of_fusion(query):
    found = fusion.execute(query).read_all()
    return zip(*(found[name].to_pylist() for name in found.schema.names))


engines = {
    "duckdb": lambda query: connection.execute(query).fetchall(),
    "polars": lambda query: lazy.execute(query, eager=True).rows(),
    "datafusion": of_fusion,
}


def plain(value):
    """Numbers are compared by value, whatever each engine makes of them; times as text."""
    if isinstance(value, (float, decimal.Decimal)):
        return int(value) if value == int(value) else float(value)
    return value if value is None or isinstance(value, (int, str)) else value.isoformat()


found = {
    engine: [[[plain(value) for value in row] for row in run(query)] for query in queries]
    for engine, run in engines.items()
}
print(json.dumps(found))
