// The version, once.

/// The version of the bridge.
package enum BridgeVersion {
  /// Semantic version, also told to Codex.
  package static let text = "0.1.0"
}
