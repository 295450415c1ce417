// In which order and below which headings the settings stand in documents for people. `Settings.all` is the table itself.

/// A heading and the settings below it.
struct SettingsGroup: Sendable {
  let title: String
  let settings: [any AnySetting]

  /// All settings, each in one group. Those that are in no other come last.
  static let all: [SettingsGroup] = {
    let known = Set(sorted.flatMap(\.settings).map(\.name))
    let others = Settings.all.filter { !known.contains($0.name) }
    return others.isEmpty ? sorted : sorted + [SettingsGroup(title: "Others", settings: others)]
  }()

  /// First what most people set, then by subject.
  private static let sorted = [
    SettingsGroup(
      title: "The everyday ten",
      settings: [
        Settings.host, Settings.port, Settings.apiKeys, Settings.workingDirectory, Settings.sandboxMode,
        Settings.networkAccess, Settings.webSearch, Settings.approvalPolicy, Settings.model, Settings.reasoning,
      ]),
    SettingsGroup(
      title: "Network and browsers",
      settings: [Settings.allowedHosts, Settings.corsOrigins, Settings.openWebUISecret]),
    SettingsGroup(
      title: "Codex and its models",
      settings: [
        Settings.codexBinary, Settings.codexHome, Settings.codexConfig, Settings.passEnvironment, Settings.profile,
        Settings.reasoningSummary, Settings.showActivity, Settings.dynamicModels, Settings.listEfforts,
        Settings.modelsTTL, Settings.engineProcesses, Settings.engineMaxMemory, Settings.engineMaxTurns,
      ]),
    SettingsGroup(
      title: "Sandbox, approvals and images",
      settings: [
        Settings.approvalWait, Settings.approvalHook, Settings.approvalHookSecret, Settings.publicURL,
        Settings.skipGitCheck, Settings.imageRoots, Settings.imageAllowPrivate, Settings.imageLimit,
      ]),
    SettingsGroup(
      title: "Conversations",
      settings: [
        Settings.continuity, Settings.stateDirectory, Settings.requireSessionID, Settings.userIsSession,
        Settings.taskOpenings, Settings.sessionMaxAge, Settings.maxSessions, Settings.responsesMaxAge,
      ]),
    SettingsGroup(
      title: "Limits and waits",
      settings: [
        Settings.maxConcurrentTurns, Settings.maxTurnsPerKey, Settings.maxQueue, Settings.sessionQueue,
        Settings.turnTimeout, Settings.turnIdleTimeout, Settings.providerWait, Settings.toolWait,
        Settings.retryGrace, Settings.drainTimeout, Settings.onDisconnect, Settings.bodyLimit,
        Settings.strictParameters,
      ]),
    SettingsGroup(
      title: "Log and metrics",
      settings: [
        Settings.logLevel, Settings.logFormat, Settings.logRequests, Settings.metricsOnLoopback,
      ]),
  ]
}
