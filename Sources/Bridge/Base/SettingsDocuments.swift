// The table of settings as documents: what README.md and deploy/bridged.env.example must say. A test compares them.

/// Renders the table of settings.
public enum SettingsDocuments {
  /// The table of the README, in Markdown.
  public static var markdownTable: String {
    let rows = Settings.all.map { setting in
      "| `\(setting.name)` | \(shownDefault(setting)) | \(setting.help) \(capitalised(setting.allowed)). |"
    }
    return (["| variable | default | meaning |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
  }

  /// The example of an environment file: every setting, commented out.
  public static var environmentExample: String {
    let head = """
      # Settings of bridged. Remove the # in front of a name to set it; what stands there is the default.
      # Read from the environment, or from .env.local and .env in the directory bridged is started in.
      """
    let entries = Settings.all.map { setting in
      let value = isLiteral(setting.fallbackText) ? setting.fallbackText : ""
      let note = isLiteral(setting.fallbackText) ? "" : " Default: \(setting.fallbackText)."
      return "# \(setting.help) \(capitalised(setting.allowed)).\(note)\n#\(setting.name)=\(value)"
    }
    return ([head] + entries).joined(separator: "\n\n") + "\n"
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
