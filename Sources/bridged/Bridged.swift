// The program `bridged`. Each command has a file, and only passes its options to the library.

import ArgumentParser
import Bridge
import Glibc

@main
struct Bridged: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bridged",
    abstract: "Speaks the OpenAI API and drives the local Codex CLI.",
    version: BridgeVersion.text,
    subcommands: [Serve.self, Chat.self, Config.self, Doctor.self, Trust.self, Version.self],
    defaultSubcommand: Serve.self
  )

  /// Runs the command. A message that ends the program begins with the program's name, whether it is ours or the argument
  /// parser's, which by itself would write “Error:”.
  static func main() {
    StandardDescriptors.openMissing()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let text = fullMessage(for: error)
      guard text.hasPrefix(parserPrefix) else { exit(withError: error) }
      // The first line may repeat what was typed, so it is escaped. The lines after it are the parser's usage text.
      let lines = text.dropFirst(parserPrefix.count).split(separator: "\n", maxSplits: 1)
      Log.fatal(String(lines.first ?? ""), usage: lines.dropFirst().map { $0 + "\n" }.joined())
      Glibc.exit(exitCode(for: error).rawValue)
    }
  }

  private static let parserPrefix = "Error: "
}
