// Where in a thread a history leads.

import Testing

@testable import Bridge

struct FoundPlaceTests {
  /// A thread as it comes about, by what was asked and answered on it.
  private struct Script {
    var points = ThreadPoints()
    private var said: [Conversation.Item] = []
    private let start = ConversationDigest(owner: .everybody)

    private func digest(_ items: [Conversation.Item]) -> ConversationDigest {
      ConversationDigest.chain(of: items, after: start).last ?? start
    }

    /// A turn; `answer` is nil for one that has failed.
    mutating func turn(
      _ id: String?, _ asked: [Conversation.Item], _ answer: [Conversation.Item]?, isWhole: Bool = false
    ) {
      let before = digest(said)
      said += asked
      var point = ThreadPoint(turnID: id, before: before, asked: digest(said))
      said += answer ?? []
      point.answered = answer.map { _ in digest(said) }
      point.isWhole = isWhole
      point.hasCalls = answer?.contains { $0.callID != nil } ?? false
      points.append(point)
    }
  }

  private func user(_ text: String) -> Conversation.Item { .message(.user, [.text(text)]) }
  private func bot(_ text: String) -> Conversation.Item { .message(.assistant, [.text(text)]) }
  private let call = Conversation.Item.toolCall(Conversation.ToolCall(id: "c", name: "f", arguments: "{}"))
  private let output = Conversation.Item.toolOutput(Conversation.ToolOutput(callID: "c", parts: [.text("42")]))

  private func find(_ items: [Conversation.Item], _ script: Script, startsAnew: Bool = false) -> FoundPlace? {
    .find(
      History(Conversation(items: items), of: .everybody), in: script.points, startsAnew: startsAnew)
  }

  private var two: Script {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    script.turn("t2", [user("2")], [bot("b")], isWhole: true)
    return script
  }

  @Test func aHistoryGoesOnBehindItsLastAnswer() {
    let items = [user("1"), bot("a"), user("2"), bot("b"), user("3")]
    #expect(find(items, two) == FoundPlace(place: .head, known: 4))
  }

  @Test func theLastAnswerAgainTakesItsTurnBack() {
    let items = [user("1"), bot("a"), user("2")]
    #expect(find(items, two) == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
  }

  @Test func anEarlierMessageTakesAllBehindItBack() {
    var script = two
    script.turn("t3", [user("3")], [bot("c")], isWhole: true)
    let items = [user("1"), bot("a"), user("other"), bot("b"), user("3")]
    #expect(find(items, script) == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
  }

  @Test func aMessageIsNoHistory() {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    #expect(find([user("1")], script) == nil)
    #expect(find([user("2")], script) == nil)
    // Its client says that nothing comes before it.
    #expect(
      find([user("1")], script, startsAnew: true) == FoundPlace(place: .before(turnID: "t1", index: 0), known: 0))
    // Its client is known to send its history.
    #expect(find([user("2")], two) == FoundPlace(place: .before(turnID: "t1", index: 0), known: 0))
  }

  @Test func examplesBeforeAMessageAreNoHistory() {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    #expect(find([user("example"), bot("so"), user("2")], script) == nil)
  }

  @Test func whatHasFailedIsTakenBackWhenItIsAskedAgain() {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    script.turn("t2", [user("2")], nil)
    // As a message and with the history before it.
    #expect(find([user("2")], script) == FoundPlace(place: .before(turnID: "t2", index: 1), known: 0))
    #expect(
      find([user("1"), bot("a"), user("2")], script)
        == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
    // Another message is one more.
    #expect(find([user("3")], script) == nil)
  }

  @Test func whatWasCutComesBackAsItWasSeen() {
    var script = Script()
    script.turn("t1", [user("1")], nil)
    let behind = FoundPlace(place: .behindCut(turnID: "t1", index: 0), known: 2)
    #expect(find([user("1"), bot("the begin"), user("2")], script) == behind)
    // It is to be continued.
    #expect(find([user("1"), bot("the begin")], script) == behind)
    #expect(find([user("other"), bot("the begin"), user("2")], script) == nil)
    // Asked again, or changed.
    script = two
    script.turn("t3", [user("3")], nil, isWhole: true)
    let before = [user("1"), bot("a"), user("2"), bot("b")]
    for last in ["3", "other"] {
      #expect(
        find(before + [user(last)], script) == FoundPlace(place: .before(turnID: "t3", index: 2), known: 4))
    }
  }

  /// What a turn has done up to its calls stays where their outputs come again, or other ones.
  @Test func aTurnIsTakenBackToItsCalls() {
    var script = Script()
    script.turn("t1", [user("1")], [call])
    script.turn("t1", [output], [bot("a")], isWhole: true)
    script.turn("t2", [user("2")], [bot("b")], isWhole: true)
    let again = [user("1"), call, output]
    let other = Conversation.Item.toolOutput(Conversation.ToolOutput(callID: "c", parts: [.text("other")]))
    let inside = FoundPlace(place: .inside(turnID: "t1", index: 1), known: 2)
    #expect(find(again, script) == inside)
    #expect(find([user("1"), call, other], script) == inside)
    #expect(find([user("1"), call, other, user("and")], script) == inside)
    // More than outputs follows the calls: there is no place for that inside.
    #expect(
      find([user("1"), call, other, bot("x"), user("2")], script)
        == FoundPlace(place: .before(turnID: "t1", index: 0), known: 0))
    #expect(
      find(again + [bot("a"), user("2")], script) == FoundPlace(place: .before(turnID: "t2", index: 2), known: 4))
  }

  /// Between two answers of a turn that was told a message meanwhile there is no place.
  @Test func aTurnIsTakenBackWholeWhereItWasSteered() {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    script.turn("t1", [user("2")], [bot("b")])
    let before = FoundPlace(place: .before(turnID: "t1", index: 0), known: 0)
    #expect(find([user("1"), bot("a"), user("2")], script) == before)
    #expect(find([user("1"), bot("a"), user("other")], script) == before)
    #expect(
      find([user("1"), bot("a"), user("2"), bot("b"), user("3")], script) == FoundPlace(place: .head, known: 4))
  }

  @Test func aTurnThatWasCutAfterItsCallsGoesOnFromThere() {
    var script = Script()
    script.turn("t1", [user("1")], [call])
    script.turn("t1", [output], nil, isWhole: true)
    #expect(find([user("1"), call, output], script) == FoundPlace(place: .head, known: 2))
    // Its client has seen something of the answer.
    #expect(
      find([user("1"), call, output, bot("the begin"), user("2")], script)
        == FoundPlace(place: .behindCut(turnID: "t1", index: 0), known: 4))
  }

  /// A turn that went on elsewhere stands behind the items of the one that it goes on with.
  @Test func aTurnThatGoesOnFromItemsIsTakenBack() {
    var script = Script()
    script.turn(nil, [user("1")], [call])
    script.turn("t2", [output], [bot("a")], isWhole: true)
    let again = [user("1"), call, output]
    #expect(find(again, script)?.place == .before(turnID: "t2", index: 1))
    script.points.changeLast { $0.answered = nil }
    #expect(
      find(again + [bot("the begin"), user("2")], script)
        == FoundPlace(place: .behindCut(turnID: "t2", index: 1), known: 4))
  }

  /// A client that sends everything may write it anew each time.
  @Test func aHistoryWithoutAKnownAnswerIsNoChange() {
    var script = Script()
    script.turn("t1", [user("1, at noon")], [bot("a")])
    let later = [user("1, at one"), bot("a"), user("2, at one")]
    #expect(find(later, script, startsAnew: true) == nil)
    #expect(find([user("1")], script, startsAnew: true)?.place == .before(turnID: "t1", index: 0))
  }

  @Test func whereTheEngineHasEndedOpenCallsIsNoPlace() {
    var script = Script()
    script.turn("t1", [user("1")], [call])
    script.turn("t2", [user("never mind")], [bot("b")])
    #expect(find([user("1"), call, output], script) == nil)
  }

  @Test func whatStoodInTheThreadBeforeItsTurnsCannotBeTakenBack() {
    var script = Script()
    script.turn(nil, [user("1")], [bot("a")], isWhole: true)
    script.turn("t2", [user("2")], [bot("b")], isWhole: true)
    #expect(
      find([user("1"), bot("a"), user("2")], script)
        == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
    #expect(find([user("1"), bot("other"), user("2")], script)?.place == .nowhere)
    #expect(find([user("other")], script)?.place == .nowhere)
  }

  @Test func whatWasPutBetweenTwoTurnsIsLeftOutByACopy() {
    var script = Script()
    script.turn("t1", [user("1")], [bot("a")])
    script.turn(nil, [user("2")], [bot("b")], isWhole: true)
    script.turn("t3", [user("3")], [bot("c")], isWhole: true)
    let items = [user("1"), bot("a"), user("other")]
    #expect(find(items, script) == FoundPlace(place: .behind(turnID: "t1", index: 1), known: 2))
  }

  /// A thread that begins alike and goes on otherwise is taken back to what is alike, never beyond.
  @Test func whatOnlyBeginsAlikeIsSharedUpToThere() {
    var script = two
    script.turn("t3", [user("3")], [bot("c")], isWhole: true)
    let items = [user("1"), bot("a"), user("mine"), bot("b"), user("3")]
    #expect(find(items, script) == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
    let longer = [user("1"), bot("a"), user("2"), bot("other"), user("3")]
    #expect(find(longer, script) == FoundPlace(place: .before(turnID: "t2", index: 1), known: 2))
  }

  /// Where a digest is equal the place is the history's own: nothing that stands behind it in the history counts as known, however
  /// long the thread is.
  @Test func anEqualDigestIsWorthWhatTheHistoryHasBeforeIt() {
    let items = [user("1"), bot("a"), user("2")]
    let history = History(Conversation(items: items), of: .everybody)
    let strange = ConversationDigest(owner: Principal(name: "somebody"))
    var points = ThreadPoints()
    for number in 0..<5 {
      points.append(
        ThreadPoint(turnID: "t\(number)", before: strange, asked: strange, answered: strange, isWhole: true))
    }
    points.append(
      ThreadPoint(
        turnID: "t5", before: strange, asked: strange, answered: history.digest(behind: 2), isWhole: true))
    #expect(FoundPlace.find(history, in: points) == FoundPlace(place: .head, known: 2))
    points.append(
      ThreadPoint(
        turnID: "t6", before: history.digest(behind: 2), asked: strange, answered: strange, isWhole: true))
    #expect(FoundPlace.find(history, in: points) == FoundPlace(place: .before(turnID: "t6", index: 6), known: 2))
  }

  @Test func documentsOfTheLastQuestionAreTakenOut() {
    var script = two
    script.points.changeLast { $0.hasDocuments = true }
    let items = [user("1"), bot("a"), user("2"), bot("b"), user("3")]
    #expect(find(items, script) == FoundPlace(place: .headWithoutDocuments(turnID: "t2"), known: 4))
  }

  @Test func anotherOwnersHistoryLeadsNowhere() {
    let items = [user("1"), bot("a"), user("2"), bot("b"), user("3")]
    let history = History(Conversation(items: items), of: Principal(name: "other"))
    #expect(FoundPlace.find(history, in: two.points) == nil)
    // Nor does that of another person behind the same key.
    let person = History(Conversation(items: items), of: .everybody, user: "u")
    #expect(FoundPlace.find(person, in: two.points) == nil)
  }
}
