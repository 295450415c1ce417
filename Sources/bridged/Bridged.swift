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

/// Settings that every command takes.
struct SettingOptions: ParsableArguments {
  @Option(help: "Where to listen (HOST).")
  var host: String?

  @Option(help: "The TCP port, 0 to let the system choose (PORT).")
  var port: String?

  @Option(help: "The model of requests that name none (CODEX_MODEL).")
  var model: String?

  @Option(help: "The directory Codex works in (CODEX_WORKDIR).")
  var workdir: String?

  @Option(help: "read-only, workspace-write or danger-full-access (CODEX_SANDBOX_MODE).")
  var sandbox: String?

  @Option(help: "The Codex CLI (CODEX_BIN).")
  var codexBin: String?

  @Option(help: "trace, debug, info, warning or error (CODEX_LOG_LEVEL).")
  var logLevel: String?

  @Option(
    help: "The settings file, in place of ~/.config/bridged/bridged.env or else /etc/bridged/bridged.env.")
  var envFile: String?

  @Option(name: .customLong("set"), help: "Any setting, as NAME=VALUE. May be repeated.")
  var settings: [String] = []

  /// The settings with where each came from; a bad one ends the program with one line. Where `asks` is true, a person at the
  /// terminal is asked about files of the current directory.
  func load(asks: Bool = false) throws -> Configuration {
    var flags: [String: String] = [:]
    for setting in settings {
      let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw ValidationError("--set \(setting): expected NAME=VALUE") }
      flags[String(parts[0])] = String(parts[1])
    }
    let named = [
      "HOST": host, "PORT": port, "CODEX_MODEL": model, "CODEX_WORKDIR": workdir, "CODEX_SANDBOX_MODE": sandbox,
      "CODEX_BIN": codexBin, "CODEX_LOG_LEVEL": logLevel,
    ]
    for (name, value) in named { if let value { flags[name] = value } }
    return try Configuration.load(flags: flags, file: envFile, ask: asks ? TrustDialog.question : nil)
  }
}
