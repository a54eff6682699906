//! Finds out more about activities, and writes them to topics and files.
