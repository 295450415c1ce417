// The program: one command per file, none with logic of its own.

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

  /// What ends the program begins with its name, whoever says it: the argument parser alone would write “Error:”.
  static func main() {
    StandardDescriptors.openMissing()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let text = fullMessage(for: error)
      guard text.hasPrefix(parserPrefix) else { exit(withError: error) }
      // The first line repeats what was typed; the lines after it are the parser's own.
      let lines = text.dropFirst(parserPrefix.count).split(separator: "\n", maxSplits: 1)
      Log.fatal(String(lines.first ?? ""), usage: lines.dropFirst().map { $0 + "\n" }.joined())
      Glibc.exit(exitCode(for: error).rawValue)
    }
  }

  private static let parserPrefix = "Error: "
}
