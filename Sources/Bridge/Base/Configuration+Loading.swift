// Puts a configuration together from all the places that settings come from.

extension Configuration {
  /// Reads flags, then the environment, then the first settings file that exists: `file` (which then must), the person's,
  /// the system's. Then `.env.local` and `.env` in `directory`, as far as a person has trusted them, or does so when asked.
  ///
  /// An empty variable counts as absent. Throws on the first value that is not allowed, on a settings file that others than
  /// its owner may write to, and on a trusted file of `directory` that has changed. Without `ask` there is nobody to ask.
  package static func load(
    flags: [String: String] = [:],
    environment: [String: String] = processEnvironment,
    file: String? = nil,
    directory: String = ".",
    ask: TrustQuestion? = nil
  ) throws(ConfigurationError) -> Configuration {
    let names = Set(Settings.all.map(\.name)).union(Settings.retired)
    for name in flags.keys where !names.contains(name) {
      throw ConfigurationError(description: "--set \(name): there is no such setting\(hint(for: name))")
    }
    var files = SettingsFiles(environment: environment)
    try files.readSettingsFile(named: file)
    var sources = [Source(.flag, flags), Source(.environment, environment)] + files.sources
    // What the files of the directory would say of it does not count yet.
    let workingDirectory = Self.text(of: Settings.workingDirectory, in: sources) ?? directory
    try files.readLocalFiles(in: directory, workingDirectory: FileContents.resolved(workingDirectory), ask: ask)
    sources = [Source(.flag, flags), Source(.environment, environment)] + files.sources
    let paces = environment[Paces.variable] ?? ""
    var result = try Configuration(sources: sources, environment: environment, paces: try Paces.read(paces))
    try files.requireTrustBeyond(result.workingDirectory)
    result.notices = files.allNotices + result.notices
    if !paces.isEmpty {
      result.notices.append(Notice(level: .warning, text: "\(Paces.variable) is set, which only tests should do"))
    }
    return result
  }
}
