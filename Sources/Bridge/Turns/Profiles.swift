// Which rights the holder of a key has: the one place that makes a profile, and hands none out that goes too far. Pure.

/// The profiles of all keys. Today every key has the one that the settings describe.
struct Profiles: Sendable {
  /// The profile of the settings.
  let standard: TurnProfile

  /// What `profile(of:)` says: rights and bounds of a key stay the same for as long as the bridge runs.
  private let checkedStandard: Result<TurnProfile, EngineError>

  /// Every profile that a key has.
  var all: [TurnProfile] { [standard] }

  init(_ configuration: Configuration) {
    standard = TurnProfile(configuration)
    do throws(EngineError) {
      checkedStandard = .success(try Self.checked(standard, within: ProfileBounds(standard)))
    } catch {
      checkedStandard = .failure(error)
    }
  }

  /// The profile that the turns of a key run under. Throws if it goes beyond what the key may have.
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
  /// Exactly what a profile has, and what is less.
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
