// Which Codex is installed, asked of the program itself.

/// The Codex program that the settings name.
@LoopActor
package enum CodexProgram {
  /// How long it may take to tell. With more, whoever asks a broken one waits longer; with less, a busy machine seems to have
  /// none.
  private static let limit = Duration.seconds(10)
  private static let maxBytes = 4096

  /// The version that `codex --version` tells; nil where there is no such program, or it tells none.
  package static func version(_ configuration: Configuration) async -> String? {
    guard let command = try? ChildCommand(configuration, demo: nil), let executable = command.locate() else {
      return nil
    }
    var program = command.command(executable: FileContents.resolved(executable), arguments: ["--version"])
    // It needs none, and the one of the settings may be missing.
    program.workingDirectory = "/"
    guard let output = try? await ProgramOutput.read(of: program, maxBytes: maxBytes, within: limit) else {
      return nil
    }
    return CodexVersion(in: String(decoding: output, as: UTF8.self))?.description
  }
}
