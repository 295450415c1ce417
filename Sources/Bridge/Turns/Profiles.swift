// The rights of each key. The only place that makes profiles; it gives out none that exceeds the bounds of its key. Pure.

/// The profiles of all keys. Every key has the one that the settings describe.
struct Profiles: Sendable {
  /// The profile of the settings.
  let standard: TurnProfile

  /// The result of `profile(of:)`. It is computed once, because rights and bounds do not change while the bridge runs.
  private let checkedStandard: Result<TurnProfile, EngineError>

  /// All different profiles.
  var all: [TurnProfile] { [standard] }

  init(_ configuration: Configuration) {
    standard = TurnProfile(configuration)
    do throws(EngineError) {
      checkedStandard = .success(try Self.checked(standard, within: ProfileBounds(standard)))
    } catch {
      checkedStandard = .failure(error)
    }
  }

  /// The profile that the turns of a key run with. Throws if it exceeds the bounds of the key.
  func profile(of principal: Principal) throws(EngineError) -> TurnProfile {
    try checkedStandard.get()
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
