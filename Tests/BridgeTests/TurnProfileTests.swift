// What a key may have, right by right: a profile that goes further is refused, and with it the turn.

import Testing

@testable import Bridge

struct TurnProfileTests {
  private static let bounds = ProfileBounds(
    directories: ["/data", "/srv/shared"], sandbox: .workspaceWrite, networkAccess: false, webSearch: false,
    approvals: [.onRequest, .untrusted], toolOutputTokens: nil)

  private static let allowed = TurnProfile(
    workingDirectory: "/data", sandbox: .workspaceWrite, approvals: .onRequest)

  private static func profile(_ change: (inout TurnProfile) -> Void) -> TurnProfile {
    var profile = allowed
    change(&profile)
    return profile
  }

  private static let directories = [
    ("/data", true), ("/data/project", true), ("/srv/shared/a/b", true), ("/", false), ("/srv", false),
    ("/database", false), ("/etc", false), ("/data/../etc", false), ("/data/./a", false), ("data", false),
    ("", false),
  ]

  @Test(arguments: directories)
  func aTurnWorksInADirectoryOfItsKey(_ path: String, _ isAllowed: Bool) {
    let profile = Self.profile { $0.workingDirectory = path }
    if isAllowed {
      #expect(throws: Never.self) { try Self.bounds.check(profile) }
    } else {
      #expect(throws: ProfileRefusal.workingDirectory) { try Self.bounds.check(profile) }
    }
  }

  /// The default model is no right.
  @Test(arguments: [
    allowed, profile { $0.sandbox = .readOnly }, profile { $0.approvals = .untrusted },
    profile { $0.defaultModel = "any" },
  ])
  func whatIsNotMoreIsAllowed(_ profile: TurnProfile) {
    #expect(throws: Never.self) { try Self.bounds.check(profile) }
  }

  @Test(
    arguments: [
      (profile { $0.sandbox = .dangerFullAccess }, .sandbox(.dangerFullAccess)),
      (profile { $0.networkAccess = true }, .networkAccess),
      (profile { $0.webSearch = true }, .webSearch),
      (profile { $0.approvals = .never }, .approvals(.never)),
      (profile { $0.toolOutputTokens = 1 }, .toolOutputTokens),
    ] as [(TurnProfile, ProfileRefusal)])
  func whatIsMoreIsRefused(_ profile: TurnProfile, _ refusal: ProfileRefusal) {
    #expect(throws: refusal) { try Self.bounds.check(profile) }
    #expect(throws: EngineError.forbidden(refusal)) {
      try Profiles.checked(profile, within: Self.bounds)
    }
  }

  /// A question that the holder of a key answers is a way out of the sandbox, which a key that may ask nobody does not have.
  @Test func askingIsNoLessThanNotAsking() {
    var bounds = Self.bounds
    bounds.approvals = [.never]
    #expect(throws: ProfileRefusal.approvals(.onRequest)) { try bounds.check(Self.allowed) }
  }

  @Test(
    arguments: [
      (nil, nil, true), (5, 5, true), (4, 5, true), (6, 5, false), (nil, 5, false), (5, nil, false),
    ] as [(Int?, Int?, Bool)])
  func theOutputOfToolsIsBounded(_ tokens: Int?, _ limit: Int?, _ isAllowed: Bool) {
    var bounds = Self.bounds
    bounds.toolOutputTokens = limit
    let profile = Self.profile { $0.toolOutputTokens = tokens }
    if isAllowed {
      #expect(throws: Never.self) { try bounds.check(profile) }
    } else {
      #expect(throws: ProfileRefusal.toolOutputTokens) { try bounds.check(profile) }
    }
  }

  @Test(arguments: SandboxMode.allCases, ApprovalPolicy.allCases)
  func everyKeyHasTheProfileOfTheSettings(_ mode: SandboxMode, _ policy: ApprovalPolicy) throws {
    let configuration = try Configuration(sources: [
      .init(
        .flag,
        [
          "CODEX_WORKDIR": "/", "CODEX_SANDBOX_MODE": mode.rawValue, "CODEX_APPROVAL_POLICY": policy.rawValue,
          "CODEX_NETWORK_ACCESS": "true", "CODEX_WEB_SEARCH": "true", "CODEX_MODEL": "m:high",
        ])
    ])
    let profiles = Profiles(configuration)
    let expected = TurnProfile(
      workingDirectory: "/", sandbox: mode, networkAccess: true, webSearch: true, approvals: policy,
      defaultModel: "m:high")
    for principal in [Principal.everybody, Principal(name: "a"), Principal(name: "b")] {
      #expect(try profiles.profile(of: principal) == expected)
    }
    let chat = TurnProfile(
      kind: .chat, workingDirectory: "/", sandbox: .readOnly, approvals: .never, defaultModel: "m:high")
    #expect(try profiles.profile(of: .everybody, .chat) == chat)
    #expect(profiles.all == [expected, chat])
  }

  @Test func aRefusalNamesTheRightAndNoDirectory() {
    let told = APIError(.forbidden(.workingDirectory), hasStarted: false)
    #expect(told.status == 403)
    #expect(told.code == "profile_not_allowed")
    #expect(told.mayRetry == false)
    #expect(told.message == "This key may not have the working directory.")
    #expect(
      APIError(.forbidden(.sandbox(.dangerFullAccess)), hasStarted: false).message.contains("danger-full-access"))
  }

  @Test(
    arguments: [
      (.readOnly, .never, false), (.workspaceWrite, .never, false), (.readOnly, .onRequest, true),
      (.readOnly, .untrusted, true), (.dangerFullAccess, .never, true),
    ] as [(SandboxMode, ApprovalPolicy, Bool)])
  func commandsOutliveTheirTurnOnlyOutsideTheSandbox(
    _ mode: SandboxMode, _ policy: ApprovalPolicy, _ mayOutlive: Bool
  ) {
    let profile = TurnProfile(workingDirectory: "/", sandbox: mode, approvals: policy)
    #expect(profile.letsCommandsOutlive == mayOutlive)
  }
}
