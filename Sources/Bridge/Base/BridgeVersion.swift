// The version, once, and the commit that the program was built from.

internal import CBuildCommit

/// The version of the bridge.
package enum BridgeVersion {
  /// Semantic version, also told to Codex.
  package static let text = "0.1.0"

  /// The commit, as the script that built the program has told it by BRIDGED_COMMIT (Package.swift); nil where nobody did.
  package static let commit: String? = {
    let text = String(cString: bridged_build_commit())
    return text.isEmpty ? nil : text
  }()
}
