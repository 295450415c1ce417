// The rights of each key. The only place that makes profiles; it gives out none that exceeds the bounds of its key. Pure.

/// The profiles of all keys. Every key has those that the settings describe.
struct Profiles: Sendable {
  /// The results of `profile(of:)`. They are computed once, because rights and bounds do not change while the bridge runs.
  private let agent: Result<TurnProfile, EngineError>
  private let chat: Result<TurnProfile, EngineError>

  /// All different profiles.
  let all: [TurnProfile]

  init(_ configuration: Configuration) {
    let standard = TurnProfile(configuration)
    all = [standard, standard.plainChat]
    (agent, chat) = (Self.check(standard), Self.check(standard.plainChat))
  }

  /// The profile of a kind that the turns of a key run under. Throws if it goes beyond what the key may have.
  func profile(of principal: Principal, _ kind: ProfileKind = .agent) throws(EngineError) -> TurnProfile {
    switch kind {
    case .agent: try agent.get()
    case .chat: try chat.get()
    }
  }

  private static func check(_ profile: TurnProfile) -> Result<TurnProfile, EngineError> {
    do throws(EngineError) {
      return .success(try checked(profile, within: ProfileBounds(profile)))
    } catch {
      return .failure(error)
    }
  }

  static func checked(_ profile: TurnProfile, within bounds: ProfileBounds) throws(EngineError) -> TurnProfile {
    do throws(ProfileRefusal) {
      try bounds.check(profile)
    } catch {
      throw .forbidden(error)
    }
    return profile
  }
}

extension TurnProfile {
  init(_ configuration: Configuration) {
    self.init(
      workingDirectory: configuration.workingDirectory,
      sandbox: configuration[Settings.sandboxMode],
      networkAccess: configuration[Settings.networkAccess],
      webSearch: configuration[Settings.webSearch],
      approvals: configuration[Settings.approvalPolicy],
      defaultModel: configuration[Settings.model]
    )
  }

  /// The plain chat of whoever has this profile: there is nothing to be run, so nothing is allowed and nobody asked.
  var plainChat: TurnProfile {
    TurnProfile(
      kind: .chat, workingDirectory: workingDirectory, sandbox: .readOnly, approvals: .never,
      defaultModel: defaultModel, toolOutputTokens: toolOutputTokens)
  }
}

extension ProfileBounds {
  /// Bounds that allow the rights of a profile and fewer.
  init(_ profile: TurnProfile) {
    self.init(
      directories: [profile.workingDirectory],
      sandbox: profile.sandbox,
      networkAccess: profile.networkAccess,
      webSearch: profile.webSearch,
      approvals: [profile.approvals],
      toolOutputTokens: profile.toolOutputTokens
    )
  }
}
