// Tells somebody outside of the bridge that Codex asks (CODEX_APPROVAL_HOOK), in the background. What becomes of a notice changes
// nothing about its question.

/// Sends notices of questions.
@LoopActor
final class ApprovalHook {
  /// Notices on their way at once. Raised, a receiver gets more at once and more processes run; lowered, a slow receiver
  /// delays the notices behind it longer.
  private static let maxSending = 2
  /// As many as one key may have open questions.
  private static let maxWaiting = ApprovalDesk.maxOpenPerOwner
  private static let retryDelay = Duration.seconds(2)
  private static let logInterval = Duration.seconds(60)

  private let target: HookTarget
  private let secret: String?
  private let environment: [String: String]
  private let isOpen: @LoopActor (Approval) -> Bool
  private let notice: @LoopActor (Approval) -> ApprovalNotice
  private let sending = PermitQueue(permits: maxSending, maxWaiting: maxWaiting)
  private var failureLoggedAt: Duration?
  private var unloggedFailures = 0

  /// Nil if nobody is to be told. `isOpen` tells whether a question still waits.
  init?(
    _ configuration: Configuration, isOpen: @escaping @LoopActor (Approval) -> Bool,
    notice: @escaping @LoopActor (Approval) -> ApprovalNotice
  ) {
    guard let target = configuration[Settings.approvalHook] else { return nil }
    self.target = target
    secret = configuration[Settings.approvalHookSecret]
    environment = configuration.environment
    self.isOpen = isOpen
    self.notice = notice
  }

  /// Tells of a question that was just opened.
  func tell(_ approval: Approval) {
    guard let ticket = sending.enter(approval.owner) else {
      return failed(approval, "is too slow: too many notices wait")
    }
    let post = HookPost(
      target: target, secret: secret, body: notice(approval).body(for: target.form).jsonText)
    Loop.spawn {
      defer { ticket.release() }
      guard await ticket.wait() else { return }
      await self.deliver(post, approval)
    }
  }

  /// Sends a notice, and once more if that may help. A question that was answered meanwhile needs none.
  private func deliver(_ post: HookPost, _ approval: Approval) async {
    guard isOpen(approval) else { return }
    var verdict = await send(post)
    if case .failed(_, mayRetry: true) = verdict {
      await Loop.sleep(Self.retryDelay)
      guard isOpen(approval) else { return }
      verdict = await send(post)
    }
    switch verdict {
    case .delivered: Log.debug("told the approval hook", ["approval": approval.id])
    case .failed(let reason, _): failed(approval, reason)
    }
  }

  private func send(_ post: HookPost) async -> HookPost.Verdict {
    guard let curl = Programs.find("curl", path: "/usr/bin:/usr/local/bin:/bin") else {
      return .failed(reason: "needs the program curl, which is not installed", mayRetry: false)
    }
    do throws(ProgramFailure) {
      let ended = try await ProgramOutput.run(
        HookPost.command(curl, environment), input: post.configuration(at: unixTime()), maxBytes: 64,
        within: .seconds(HookPost.maxSeconds + 5))
      return HookPost.verdict(exitCode: ended.exit?.code, output: ended.output)
    } catch {
      return .failed(reason: "is not told: curl fails (\(error.description))", mayRetry: true)
    }
  }

  /// Logs a failure, a line a minute at most.
  private func failed(_ approval: Approval, _ reason: String) {
    if let last = failureLoggedAt, Loop.now - last < Self.logInterval {
      unloggedFailures += 1
      return
    }
    Log.warning(
      "a question of Codex could not be told outside: the receiver of \(Settings.approvalHook.name) \(reason)",
      ["approval": approval.id, "unlogged": unloggedFailures])
    failureLoggedAt = Loop.now
    unloggedFailures = 0
  }
}

extension ApprovalHook {
  /// What a person should know about the settings of the hook although the bridge starts.
  static func warnings(_ configuration: Configuration) -> [String] {
    let name = Settings.approvalHook.name
    guard configuration[Settings.approvalHook] != nil else {
      return configuration[Settings.approvalHookSecret] == nil
        ? [] : ["\(Settings.approvalHookSecret.name) has no effect without \(name)"]
    }
    var warnings: [String] = []
    if configuration[Settings.approvalPolicy] == .never {
      warnings.append("\(name) has no effect, because \(Settings.approvalPolicy.name)=never: Codex asks nothing")
    } else if configuration[Settings.publicURL] == nil {
      warnings.append(
        "\(name) is set without \(Settings.publicURL.name): its links lead to the address that is listened on, which other "
          + "devices may not reach")
    }
    return warnings
  }
}
