"""Where bytes come from: local files, the Hub, other storage, snapshots."""
