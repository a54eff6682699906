import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Asks Apache Spark about Delta tables: reads lines of {@code {"table": FOLDER, "queries": [SQL]}}, and prints a line of JSON for
 * each, with the rows of each query, or with a text where it failed. In a query the table is {@code activities}.
 *
 * <p>{@code java Ask.java WAREHOUSE}, a folder that may be written. One process answers many lines, because a session takes
 * seconds to start.
 */
final class Ask {
    /** As Python writes them. */
    private static final DateTimeFormatter WHOLE = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ssxxx");
    private static final DateTimeFormatter PARTS = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSSxxx");

    public static void main(String[] arguments) throws Exception {
        ObjectMapper json = new ObjectMapper();
        // What libraries print must not get between the answers.
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        SparkSession spark = session(arguments[0]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode asked = json.readTree(line);
            List<Object> answers = new ArrayList<>();
            for (JsonNode query : asked.get("queries")) {
                answers.add(answer(spark, asked.get("table").asText(), query.asText()));
            }
            out.println(json.writeValueAsString(answers));
        }
        spark.stop();
    }

    private static SparkSession session(String warehouse) {
        return SparkSession.builder()
                .master("local[2]")
                // What Delta needs in every session, as docs/lake.md says.
                .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
                .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
                .config("spark.sql.session.timeZone", "UTC")
                // Times as instants, without the zone of this machine.
                .config("spark.sql.datetime.java8API.enabled", "true")
                // On loopback, and in this process: nothing is listening for people or for a cluster.
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.warehouse.dir", warehouse)
                // A cluster's numbers would make hundreds of tasks for a table of twenty rows.
                .config("spark.sql.shuffle.partitions", "1")
                .config("spark.databricks.delta.snapshotPartitions", "1")
                .getOrCreate();
    }

    private static Object answer(SparkSession spark, String table, String query) {
        try {
            // Made anew each time: a view that is kept stays at the version that it had.
            spark.read().format("delta").load(table).createOrReplaceTempView("activities");
            List<Object> rows = new ArrayList<>();
            for (Row row : spark.sql(query).collectAsList()) {
                rows.add(plain(row));
            }
            return rows;
        } catch (Exception error) {
            return error.toString();
        }
    }

    /** Numbers are compared by value; what has no word in JSON is text. */
    private static Object plain(Object value) {
        if (value instanceof Instant at) {
            return (at.getNano() == 0 ? WHOLE : PARTS).format(at.atOffset(ZoneOffset.UTC));
        }
        if (value instanceof Double number && number == Math.rint(number)) {
            return number.longValue();
        }
        if (value instanceof Row row) {
            return plain(row.toSeq());
        }
        if (value instanceof scala.collection.Seq<?> several) {
            List<Object> all = new ArrayList<>();
            CollectionConverters.asJava(several).forEach(one -> all.add(plain(one)));
            return all;
        }
        if (value instanceof scala.collection.Map<?, ?> pairs) {
            return CollectionConverters.asJava(pairs);
        }
        boolean isPlain = value == null || value instanceof Number || value instanceof Boolean || value instanceof Map;
        return isPlain ? value : value.toString();
    }
}
