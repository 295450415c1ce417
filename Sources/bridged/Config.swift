// The command `bridged config`.

import ArgumentParser
import Bridge

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the effective settings, and where each value came from, in the form of a settings file.",
    usage: "bridged config [options]")

  @OptionGroup var options: SettingOptions

  @Flag(
    help: "Print all settings as an environment file with their defaults, a Markdown table or bridged.env(5).")
  var document: Document?

  enum Document: String, EnumerableFlag {
    case envExample
    case markdown
    case manPage
  }

  func run() throws {
    switch document {
    case .envExample: return print(SettingsDocuments.environmentExample, terminator: "")
    case .markdown: return print(SettingsDocuments.markdownTable)
    case .manPage: return print(SettingsDocuments.manualPage, terminator: "")
    case nil: break
    }
    print(SettingsDocuments.effective(try options.load()), terminator: "")
  }
}
