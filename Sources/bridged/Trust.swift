// The command `bridged trust`.

import ArgumentParser
import Bridge

struct Trust: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trust .env.local and .env as they are now: they are read only then, and until they change.",
    usage: "bridged trust [file...]")

  @Argument(help: "The files; without any, those of the current directory.")
  var files: [String] = []

  func run() throws {
    let code = try TrustDialog.trust(paths: files)
    if code != 0 { throw ExitCode(code) }
  }
}
