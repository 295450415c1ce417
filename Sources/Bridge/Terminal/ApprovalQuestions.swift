// Puts Codex's questions to the person at the terminal, one at a time. Owns which of them is being asked; the questions
// themselves belong to `ApprovalDesk`.

@LoopActor
final class ApprovalQuestions {
  private enum State {
    case idle
    /// Asked, or about to be; the wait ends with it.
    case asking(id: String, Waiter<Void>)
  }

  /// Lines of a diff that are shown, followed by how many are left out. More would push the question off the screen.
  private nonisolated static let maxDiffLines = 100
  private static let prompt = "Allow? y once · a in this conversation · n no · or say what to do instead: "

  private let desk: ApprovalDesk
  private let keyboard: Keyboard
  private let output: TerminalOutput
  private var state = State.idle
  /// Called before a question is shown, to show first what Codex has said until then.
  var showsBefore: (@LoopActor () -> Void)?
  /// Called when a person wants the turn to end.
  var interruptsTurn: (@LoopActor () -> Void)?
  /// Called with words for Codex, said in place of an answer.
  var sends: (@LoopActor (EnteredLine) -> Void)?
  /// Whether the keyboard is read only while there is a question, so that what is typed at other times is for the shell.
  var opensKeyboard = false

  init(_ desk: ApprovalDesk, keyboard: Keyboard, output: TerminalOutput) {
    self.desk = desk
    self.keyboard = keyboard
    self.output = output
    desk.onChange = { [weak self] in self?.update() }
  }

  /// Whether a question is on the screen, or is about to be.
  var isAsking: Bool { if case .asking = state { true } else { false } }

  /// Waits until no question is on the screen.
  func waitUntilNoneIsOpen() async {
    while case .asking(_, let end) = state { await end.value() }
  }

  private func update() {
    if case .asking(let id, _) = state, !isOpen(id) { keyboard.withdrawQuestion() }
    askNext()
  }

  private func isOpen(_ id: String) -> Bool { desk.pending.contains { $0.id == id } }

  private func askNext() {
    guard case .idle = state, let approval = desk.pending.first else { return }
    let end = Waiter<Void>()
    state = .asking(id: approval.id, end)
    Loop.spawn {
      await self.ask(approval)
      self.state = .idle
      end.finish()
      self.askNext()
    }
  }

  private func ask(_ approval: Approval) async {
    if opensKeyboard {
      do throws(LoopError) { try keyboard.open() } catch {
        output.note("\(error)")
        return decide(.decline, approval)
      }
    }
    defer { if opensKeyboard { keyboard.close() } }
    await keyboard.waitForPause()
    showsBefore?()
    keyboard.readAhead()
    guard isOpen(approval.id) else { return }
    output.show(Self.text(of: approval))
    let reply = await keyboard.reply(prompt: Self.prompt)
    // The question may have been withdrawn before the reply got here.
    if isOpen(approval.id) { carryOut(reply, approval) } else { reportTooLate(reply) }
  }

  /// What a person sees of what Codex wants to do: nothing in it that Codex or the model has written begins a line.
  nonisolated static func text(of approval: Approval) -> String {
    approval.question.lines(maxDiffLines: maxDiffLines).joined(separator: "\n")
  }

  private func carryOut(_ reply: Keyboard.Reply, _ approval: Approval) {
    switch reply {
    case .line(let line):
      switch ApprovalReply(line) {
      case .decision(let decision): decide(decision, approval)
      case .message(let line):
        decide(.decline, approval)
        // The person wants something else, so Codex is interrupted and gets the message next.
        sends?(line)
        interruptsTurn?()
      }
    case .interrupt, .end:
      decide(.decline, approval)
      interruptsTurn?()
    case .withdrawn: break
    }
  }

  private func decide(_ decision: Approval.Decision, _ approval: Approval) {
    _ = desk.answer(approval.id, decision, by: approval.owner)
  }

  private func reportTooLate(_ reply: Keyboard.Reply) {
    guard case .line(let line) = reply else { return }
    output.note("(too late: the question is closed)")
    if case .message(let line) = ApprovalReply(line) { sends?(line) }
  }
}
