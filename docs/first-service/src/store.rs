//! The counts in a database. An activity is noted by its id, so counting it once more changes nothing.

use std::collections::BTreeMap;

use anyhow::Context as _;
use database::{Database, Error, Migration, Statement};

use crate::settings::CountsSettings;

const SCHEMA: &[Migration] = &[Migration::both(
    "CREATE TABLE counted (id TEXT PRIMARY KEY, day BIGINT NOT NULL);
     CREATE INDEX counted_by_day ON counted (day);
     CREATE TABLE counts (tenant TEXT NOT NULL, verb TEXT NOT NULL, activities BIGINT NOT NULL, PRIMARY KEY (tenant, verb))",
)];

const NOTE: Statement = Statement::new(
    "noting an activity",
    "INSERT INTO counted (id, day) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING day",
);
const ADD: Statement = Statement::new(
    "adding to a count",
    "INSERT INTO counts (tenant, verb, activities) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant, verb) DO UPDATE SET activities = counts.activities + excluded.activities",
);
const FORGET: Statement = Statement::new(
    "forgetting what does not come again",
    "DELETE FROM counted WHERE id IN (SELECT id FROM counted WHERE day < $1 LIMIT $2)",
);
const COUNTS: Statement =
    Statement::new("reading the counts of a tenant", "SELECT verb, activities FROM counts WHERE tenant = $1");

/// What is counted of an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) tenant: String,
    pub(crate) verb: &'static str,
}

/// The counts.
#[derive(Debug)]
pub(crate) struct Store(Database);

impl Store {
    pub(crate) fn open(settings: &CountsSettings) -> anyhow::Result<Self> {
        let options = settings.options().map_err(anyhow::Error::msg).context("counts.database")?;
        Ok(Self(Database::open(options, SCHEMA)?))
    }

    pub(crate) async fn migrate(&self) -> Result<(), Error> {
        self.0.migrate().await
    }

    /// Counts activities, by their ids, all or none of them. After an error nobody knows: to be done again.
    ///
    /// Ids and counts are changed in their order. Two instances that change the same ones never wait for each other in a
    /// circle.
    pub(crate) async fn count(&self, activities: &BTreeMap<String, Counted>, day: i64) -> Result<(), Error> {
        let mut change = self.0.begin(&[]).await?;
        let mut added: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (id, Counted { tenant, verb }) in activities {
            if change.one(&NOTE, &[id.as_str().into(), day.into()]).await?.is_some() {
                *added.entry((tenant, verb)).or_default() += 1;
            }
        }
        for ((tenant, verb), activities) in added {
            change.run(&ADD, &[tenant.into(), verb.into(), activities.into()]).await?;
        }
        change.commit().await
    }

    /// Forgets the ids of activities that were counted before a day, `most` at the most: a large change would hold up
    /// everybody.
    pub(crate) async fn forget_before(&self, day: i64, most: i64) -> Result<(), Error> {
        self.0.run(&FORGET, &[day.into(), most.into()]).await
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.0.ping().await
    }

    /// How many activities a tenant has had, by verb.
    pub(crate) async fn of(&self, tenant: &str) -> Result<BTreeMap<String, u64>, Error> {
        let rows = self.0.all(&COUNTS, &[tenant.into()]).await?;
        let count = |row: &database::Row| Ok((row.text(0)?, row.integer(1)?.unsigned_abs()));
        rows.iter().map(count).collect()
    }

    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}
