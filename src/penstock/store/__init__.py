"""What must not be forgotten: a synced journal that every confirmed event reaches first, a database fed from it, and
sinks fed beside it, each at its own pace. A database or sink that is away loses nothing and delays only itself."""
