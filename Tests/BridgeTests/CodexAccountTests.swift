// What the engine tells of its login and limits, and what people get to see of it.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct CodexAccountTests {
  /// An account whose engine does not run: what it would say, the test says.
  @LoopActor
  private static func run(_ body: @LoopActor (CodexAccount) throws -> Void) rethrows {
    let command = ChildCommand(
      program: "codex", overrides: [], codexHome: "/nonexistent", workingDirectory: "/", passedVariables: [],
      environment: [:])
    let account = CodexAccount(server: AppServer(command: command))
    defer { account.stop() }
    try body(account)
  }

  private static func login(_ account: JSONValue, needsLogin: Bool = true) -> RPCReply {
    .result(["account": account, "requiresOpenaiAuth": .bool(needsLogin)])
  }

  private static let plus = login(["type": "chatgpt", "email": "somebody@example.com", "planType": "plus"])

  private static func window(_ used: Int, _ minutes: Int, resets: Int) -> JSONValue {
    ["usedPercent": .int(used), "windowDurationMins": .int(minutes), "resetsAt": .int(resets)]
  }

  /// As `account/rateLimits/read` answers and `account/rateLimits/updated` tells.
  private static func limits(
    _ id: JSONValue = "codex", primary: JSONValue = .null, secondary: JSONValue = .null, plan: JSONValue = .null
  ) -> JSONValue {
    [
      "rateLimits": [
        "limitId": id, "primary": primary, "secondary": secondary, "credits": .null, "planType": plan,
      ]
    ]
  }

  // MARK: Login

  @Test(
    arguments: [
      ("chatgpt", "pro", EngineAccount(kind: .chatGPT, plan: "pro")),
      ("apiKey", nil, EngineAccount(kind: .apiKey)),
      ("amazonBedrock", nil, EngineAccount(kind: .amazonBedrock)),
      ("carrierPigeon", "free", EngineAccount(kind: .other, plan: "free")),
    ] as [(String, String?, EngineAccount)]) @LoopActor
  func tellsTheKindOfLoginAndThePlan(_ type: String, _ plan: String?, _ summary: EngineAccount) {
    Self.run { account in
      #expect(account.summary == nil && account.unavailability == .starting)
      account.answered(Self.login(["type": .string(type), "email": "a@example.com", "planType": .text(plan)]))
      #expect(account.summary == summary && account.unavailability == nil)
    }
  }

  @Test @LoopActor
  func aProviderOfItsOwnNeedsNoLogin() {
    Self.run { account in
      account.answered(Self.login(.null, needsLogin: false))
      #expect(account.summary == EngineAccount(kind: .ownProvider) && account.unavailability == nil)
    }
  }

  @Test @LoopActor
  func aMissingLoginIsTold() {
    Self.run { account in
      var changes = 0
      account.onChange = { changes += 1 }
      account.answered(Self.plus)
      account.answered(Self.login(.null))
      #expect(account.summary == nil && account.unavailability?.isLoggedOut == true)
      account.answered(Self.login(.null))
      #expect(changes == 2)
    }
  }

  /// With a login whose backend cannot be reached Codex answers with an error.
  @Test @LoopActor
  func anAccountThatCannotBeReadIsNoReasonToRefuse() {
    Self.run { account in
      account.answered(
        .failure(RPCFailure(code: -32603, message: "workspace routing discovery failed", data: .null)))
      #expect(account.summary == nil && account.unavailability == nil)
      account.processLost()
      #expect(account.unavailability == .starting)
    }
  }

  // MARK: Limits

  @Test @LoopActor
  func limitsAreToldInTheOrderOfTheEngine() {
    Self.run { account in
      account.answered(Self.plus)
      #expect(account.summary?.limits == [] && account.limitResetsAt == nil)
      let five = Self.window(12, 300, resets: 1000)
      account.rateLimitsUpdated(Self.limits(primary: five, secondary: Self.window(40, 10080, resets: 9000)))
      #expect(
        account.summary?.limits == [
          .init(usedPercent: 12, windowMinutes: 300, resetsAt: 1000),
          .init(usedPercent: 40, windowMinutes: 10080, resetsAt: 9000),
        ])
    }
  }

  @Test @LoopActor
  func anUpdateKeepsWhatItDoesNotTell() {
    Self.run { account in
      account.answered(Self.login(["type": "chatgpt"]))
      let week = Self.window(40, 10080, resets: 9000)
      account.rateLimitsUpdated(
        Self.limits(primary: Self.window(12, 300, resets: 1000), secondary: week, plan: "team"))
      account.rateLimitsUpdated(Self.limits(.null, primary: Self.window(13, 300, resets: 1000)))
      account.rateLimitsUpdated(["rateLimits": [:]])
      #expect(account.summary?.limits.map(\.usedPercent) == [13, 40])
      #expect(account.summary?.plan == "team")
    }
  }

  @Test @LoopActor
  func aWindowWithoutAShareIsNone() {
    Self.run { account in
      account.answered(Self.plus)
      account.rateLimitsUpdated(Self.limits(primary: ["resetsAt": 5], secondary: ["usedPercent": .number("7.5")]))
      #expect(account.summary?.limits == [.init(usedPercent: 7.5, windowMinutes: nil, resetsAt: nil)])
    }
  }

  /// Codex tells the limit of a single model in the same notification, and then nothing of the plan's.
  @Test @LoopActor
  func theLimitOfAModelIsNotThePlans() {
    Self.run { account in
      account.answered(Self.plus)
      account.rateLimitsUpdated(Self.limits(primary: Self.window(12, 300, resets: 1000)))
      account.rateLimitsUpdated(Self.limits("codex_other", primary: Self.window(97, 60, resets: 500)))
      #expect(account.summary?.limits == [.init(usedPercent: 12, windowMinutes: 300, resetsAt: 1000)])
      #expect(account.limitResetsAt == 1000)
      account.rateLimitsUpdated(Self.limits("codex_other", primary: Self.window(100, 60, resets: 500)))
      #expect(account.limitResetsAt == 500)
    }
  }

  @Test @LoopActor
  func onlySoManyLimitsAreRemembered() {
    Self.run { account in
      for number in 0..<1000 {
        account.rateLimitsUpdated(
          Self.limits(.string("limit\(number)"), primary: Self.window(100, 60, resets: number)))
      }
      #expect((account.limitResetsAt ?? 1000) < 100)
    }
  }

  /// The longest of the windows that are used up; while none is, the longest there is.
  @Test @LoopActor
  func theResetIsThatOfTheLimitThatIsReached() {
    Self.run { account in
      let week = Self.window(40, 10080, resets: 9000)
      account.rateLimitsUpdated(Self.limits(primary: Self.window(99, 300, resets: 1000), secondary: week))
      #expect(account.limitResetsAt == 9000)
      account.rateLimitsUpdated(Self.limits(primary: Self.window(100, 300, resets: 1000)))
      #expect(account.limitResetsAt == 1000)
      account.rateLimitsUpdated(Self.limits(secondary: Self.window(100, 10080, resets: 9000)))
      #expect(account.limitResetsAt == 9000)
    }
  }

  @Test @LoopActor
  func anotherLoginHasOtherLimits() {
    Self.run { account in
      account.answered(Self.plus)
      account.rateLimitsUpdated(Self.limits(primary: Self.window(12, 300, resets: 1000)))
      account.answered(Self.plus)
      #expect(account.summary?.limits.count == 1)
      account.answered(Self.login(["type": "chatgpt", "planType": "pro"]))
      #expect(account.summary == EngineAccount(kind: .chatGPT, plan: "pro"))
    }
  }
}
