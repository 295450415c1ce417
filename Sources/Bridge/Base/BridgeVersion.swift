// The version, once.

/// The version of the bridge.
public enum BridgeVersion {
  /// Semantic version, also told to Codex.
  public static let text = "0.1.0"
}
