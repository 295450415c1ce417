// `bridged version`: the version of the program, the commit it was built from, and the Codex that it would run.

/// Versions, for people and for programs.
package enum VersionCommand {
  /// Prints them. `configuration` says which Codex; without one there is none to ask.
  @LoopActor
  package static func run(_ configuration: Configuration?, json: Bool) async {
    var codex: String?
    if let configuration { codex = await CodexProgram.version(configuration) }
    if json {
      return CommandOutput.print(
        json: [
          "version": .string(BridgeVersion.text), "commit": .text(BridgeVersion.commit), "codex": .text(codex),
        ])
    }
    CommandOutput.print(lines: lines(commit: BridgeVersion.commit, codex: codex))
  }

  static func lines(commit: String?, codex: String?) -> [String] {
    ["bridged \(BridgeVersion.text) (commit \(commit ?? "unknown"))", "Codex \(codex ?? "not found")"]
  }
}
