// The program `bridged`. Each command has a file, and only passes its options to the library.

import ArgumentParser
import Bridge
import Glibc

@main
struct Bridged: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bridged",
    abstract: "Speaks the OpenAI API and drives the local Codex CLI.",
    usage: "bridged [command] [options]",
    discussion: """
      Without a command it serves: `bridged --port 8081` is `bridged serve --port 8081`. Settings come from flags, the \
      environment and a settings file; `bridged config` shows them all.
      """,
    version: BridgeVersion.text,
    groupedSubcommands: [
      CommandGroup(name: "Main", subcommands: [Serve.self, Chat.self]),
      CommandGroup(
        name: "Running bridge", subcommands: [Status.self, Models.self, SessionsGroup.self, Logs.self]),
      CommandGroup(
        name: "Setup", subcommands: [Config.self, Doctor.self, Trust.self, Version.self]),
    ],
    defaultSubcommand: Serve.self
  )

  /// Runs the command. A message that ends the program begins with the program's name, whether it is ours or the argument
  /// parser's, which by itself would write “Error:”.
  static func main() {
    StandardDescriptors.openMissing()
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let advice = CommandAdvice.unknownCommand(arguments) {
      Log.fatal(advice.reason, usage: advice.usage)
      Glibc.exit(ExitCode.validationFailure.rawValue)
    }
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch {
      end(with: error)
    }
  }

  private static let parserPrefix = "Error: "

  private static func end(with error: any Error) -> Never {
    let text = fullMessage(for: error)
    // What the parser says to `--version` is the version alone.
    if text == BridgeVersion.text { Glibc.exit(Version.printAll(json: false)) }
    guard text.hasPrefix(parserPrefix) else { exit(withError: error) }
    // The first line may repeat what was typed, so it is escaped. The lines after it are the parser's usage text.
    let lines = text.dropFirst(parserPrefix.count).split(separator: "\n", maxSplits: 1)
    let reason = String(lines.first ?? "")
    Log.fatal(
      CommandAdvice.withSuggestion(reason), usage: lines.dropFirst().map { $0 + "\n" }.joined())
    Glibc.exit(exitCode(for: error).rawValue)
  }
}

extension ParsableCommand {
  /// Does the work of a command that asks the running bridge. Its failure is told in one line, and ends the program with its
  /// own exit status.
  func reporting(_ work: () throws(CommandFailure) -> Void) throws {
    do throws(CommandFailure) {
      try work()
    } catch {
      Log.fatal(error.description)
      throw ExitCode(error.status.rawValue)
    }
  }
}
