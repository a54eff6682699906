//! Collects how every service is, and shows the whole pipeline.
