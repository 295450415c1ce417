// The open questions: how many there may be, and who finds them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ApprovalDeskTests {
  @LoopActor
  private func ask(_ desk: ApprovalDesk, _ id: String, _ owner: Principal) {
    let approval = Approval(
      id: id, question: .init(action: .command(.init(text: "ls"))), thread: ThreadID("t"), requestID: "r",
      owner: owner, askedAt: 0, expiresAt: 1)
    desk.ask(approval, limit: .seconds(600)) { _, _ in }
  }

  @Test @LoopActor
  func eachKeyHasRoomOfItsOwn() {
    let desk = ApprovalDesk()
    let (hers, his) = (Principal(name: "a"), Principal(name: "b"))
    for number in 0..<64 {
      #expect(desk.hasRoom(for: hers))
      ask(desk, "\(number)", hers)
    }
    #expect(!desk.hasRoom(for: hers) && desk.hasRoom(for: his))
    #expect(desk.answer("7", .decline, by: hers))
    #expect(desk.hasRoom(for: hers))
    desk.withdraw(thread: ThreadID("t"))
  }

  @Test @LoopActor
  func oneIsFoundByItsOwnerOnly() {
    let desk = ApprovalDesk()
    ask(desk, "a", Principal(name: "hers"))
    #expect(desk.approval("a", for: Principal(name: "hers"))?.id == "a")
    #expect(desk.approval("a", for: .everybody) == nil && desk.approval("b", for: .everybody) == nil)
    desk.withdraw(thread: ThreadID("t"))
  }

  /// People are shown the first one, which must not change under their hands.
  @Test @LoopActor
  func questionsOfOneSecondStayInTheirOrder() {
    let desk = ApprovalDesk()
    let ids = (0..<20).map { "\(97 * $0 % 20)" }
    for id in ids { ask(desk, id, .everybody) }
    #expect(desk.pending(for: .everybody).map(\.id) == ids)
    #expect(desk.answer(ids[3], .decline, by: .everybody))
    #expect(desk.pending(for: .everybody).map(\.id) == ids.filter { $0 != ids[3] })
    desk.withdraw(thread: ThreadID("t"))
  }

  /// Each once, when it is asked; what becomes of it is told to others.
  @Test @LoopActor
  func whoIsToldOfQuestionsIsToldOfEachOnce() {
    let desk = ApprovalDesk()
    var told: [String] = []
    desk.onAsk = { told.append($0.id) }
    ask(desk, "a", Principal(name: "hers"))
    ask(desk, "b", Principal(name: "his"))
    #expect(desk.openCount == 2)
    #expect(desk.answer("a", .accept, by: Principal(name: "hers")))
    desk.withdraw(thread: ThreadID("t"))
    #expect(told == ["a", "b"] && desk.openCount == 0)
  }
}
