//! What stands behind the bus: Kafka, or the log within this process.

use std::sync::Arc;

use crate::clock::Clock;
use crate::embedded::Embedded;
use crate::gate::Gate;
use crate::kafka::Kafka;
use crate::{Error, Settings};

/// The log of a bus. Clones are one.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Kafka(Arc<Kafka>),
    Embedded(Arc<Embedded>),
}

impl Backend {
    /// Opens what the settings name. The embedded log blocks meanwhile.
    pub(crate) fn open(settings: Arc<Settings>, clock: &Clock) -> Result<Self, Error> {
        if settings.is_embedded() {
            return Embedded::open(settings, clock).map(|embedded| Self::Embedded(Arc::new(embedded)));
        }
        Kafka::open(settings).map(|kafka| Self::Kafka(Arc::new(kafka)))
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        match self {
            Self::Kafka(kafka) => &kafka.settings,
            Self::Embedded(embedded) => &embedded.settings,
        }
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        match self {
            Self::Kafka(kafka) => &kafka.gate,
            Self::Embedded(embedded) => &embedded.log.gate,
        }
    }
}
