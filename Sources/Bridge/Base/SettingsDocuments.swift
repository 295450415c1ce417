// The table of settings as documents: what the article Settings and deploy/bridged.env.example must say, which a test
// compares, and what `--help` says.

/// Renders the table of settings.
package enum SettingsDocuments {
  /// All settings in Markdown: a table below a heading for each group.
  package static var markdownTable: String {
    SettingsGroup.all.map { "## \($0.title)\n\n\(table(of: $0.settings))" }.joined(separator: "\n\n")
  }

  private static func table(of settings: [any AnySetting]) -> String {
    let rows = settings.map { setting in
      "| `\(setting.name)` | \(shownDefault(setting)) | \(setting.help) \(capitalised(setting.allowed)). |"
    }
    return (["| variable | default | meaning |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
  }

  /// The example of an environment file: every setting, commented out.
  package static var environmentExample: String {
    let head = """
      # Settings of bridged. Remove the # in front of a name to set it; what stands there is the default.
      # Read from the first of these that exists: the file of --env-file, ~/.config/bridged/bridged.env,
      # /etc/bridged/bridged.env. The environment wins over it.
      """
    let entries = Settings.all.map { setting in
      let value = isLiteral(setting.fallbackText) ? setting.fallbackText : ""
      let note = isLiteral(setting.fallbackText) ? "" : " Default: \(setting.fallbackText)."
      return "# \(setting.help) \(capitalised(setting.allowed)).\(note)\n#\(setting.name)=\(value)"
    }
    return ([head] + entries).joined(separator: "\n\n") + "\n"
  }

  /// The effective settings as a settings file, with where each came from. What is secret or a default is commented out, so that
  /// the file can be read back and pins nothing else.
  package static func effective(_ configuration: Configuration) -> String {
    let head = ["# Effective settings of bridged \(BridgeVersion.text)."]
    let notices = configuration.notices.map { "# \($0.level): \($0.text.printable)" }
    let lines = Settings.all.map { setting in
      let origin = configuration.origin(of: setting)
      let text = configuration.shown(setting)
      if origin == .fallback {
        let own = setting.name == Settings.stateDirectory.name ? try? configuration.stateDirectory : nil
        let value = own ?? (isLiteral(text) ? text : "")
        return "#\(setting.name)=\(value.printable)  # default"
          + (value.isEmpty && !text.isEmpty ? ": \(text)" : "")
      }
      if setting.isSecret { return "#\(setting.name)=\(text)  # \(origin.description.printable)" }
      guard let value = written(text) else {
        return
          "# \(setting.name) has a value that no line can hold: \(text.printable)  # \(origin.description.printable)"
      }
      return "\(setting.name)=\(value)  # \(origin.description.printable)"
    }
    return (head + notices + lines).joined(separator: "\n") + "\n"
  }

  /// The value in the quotes that it needs in a settings file, on one line; nil if it cannot stand there.
  private static func written(_ value: String) -> String? {
    let escaped = value.replacing("\n", with: "\\n").replacing("\r", with: "\\r")
    return [value, "'\(value)'", "\"\(value)\"", "`\(value)`", "\"\(escaped)\""].first {
      $0.printable == $0 && DotEnv(Array("A=\($0)  # x".utf8)).values["A"] == value
    }
  }

  /// What `--help` says of a setting that has a flag.
  package static func flagHelp(_ setting: any AnySetting) -> String {
    "\(setting.help) \(capitalised(setting.allowed)) (\(setting.name))."
  }

  private static func shownDefault(_ setting: any AnySetting) -> String {
    let text = setting.fallbackText
    return text.isEmpty ? "none" : isLiteral(text) ? "`\(text)`" : text
  }

  /// Defaults that are described instead of written out contain a space.
  private static func isLiteral(_ text: String) -> Bool { !text.contains(" ") && text != "none" }

  private static func capitalised(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }
}
