// Conversations: what is new in them, and by which digest they are known again.

import Testing

@testable import Bridge

struct ConversationTests {
  private let call = Conversation.Item.toolCall(Conversation.ToolCall(id: "c", name: "f", arguments: "{}"))
  private let output = Conversation.Item.toolOutput(
    Conversation.ToolOutput(callID: "c", parts: [.text("42")]))

  private func user(_ text: String) -> Conversation.Item { .message(.user, [.text(text)]) }
  private func assistant(_ text: String) -> Conversation.Item { .message(.assistant, [.text(text)]) }

  private func digests(
    _ items: [Conversation.Item], owner: Principal = .everybody
  ) -> [String] { ConversationDigest.chain(of: items, after: ConversationDigest(owner: owner)).map(\.hex) }

  // MARK: What is new

  @Test func whatFollowsTheLastAnswerAndItsCallsIsNew() {
    #expect(Conversation(items: [user("1"), assistant("2"), call, output, user("3")]).firstNewItem == 3)
    #expect(Conversation(items: [user("1"), assistant("2")]).firstNewItem == 2)
    #expect(Conversation(items: [user("1"), user("2")]).firstNewItem == 0)
    #expect(Conversation(items: [call, output]).firstNewItem == 0)
  }

  @Test func instructionsAreWhatTheDeveloperSaysAnywhere() {
    let items: [Conversation.Item] = [
      .message(.developer, [.text("a")]), user("1"), .message(.developer, []), .message(.developer, [.text("b")]),
    ]
    #expect(Conversation(items: items).instructions == "a\n\nb")
    #expect(Conversation(items: [user("1")]).instructions == nil)
  }

  // MARK: Digests

  @Test func thereIsADigestBehindEachItem() {
    let items = [user("1"), assistant("2"), call, output]
    let chain = digests(items)
    #expect(chain.count == 4)
    #expect(Set(chain).count == 4)
    #expect(chain.allSatisfy { $0.count == 64 })
    // A conversation that goes on keeps those it had.
    #expect(digests(items + [user("3")]).prefix(4) == chain[...])
  }

  @Test func theOwnerIsPartOfTheDigest() {
    #expect(digests([user("1")]) != digests([user("1")], owner: Principal(name: "a")))
  }

  @Test func anEmptyMessageChangesNothing() {
    #expect(digests([user("1"), .message(.assistant, []), call]).last == digests([user("1"), call]).last)
  }

  @Test func whereATextIsAnImageComesFromDoesNotMatter() {
    let image = { (url: String, field: String) in
      Conversation.Item.message(.user, [.image(url: url, field: field)])
    }
    #expect(digests([image("data:x", "messages[0]")]) == digests([image("data:x", "messages[4]")]))
    #expect(digests([image("data:x", "")]) != digests([image("data:y", "")]))
  }

  /// Each pair would be the same if texts were only put behind each other.
  @Test func noTwoConversationsHaveTheSameBytes() {
    let pairs: [([Conversation.Item], [Conversation.Item])] = [
      ([user("ab")], [.message(.user, [.text("a"), .text("b")])]),
      ([user("a"), user("b")], [user("ab")]),
      ([user("a")], [assistant("a")]),
      ([user("data:x")], [.message(.user, [.image("data:x")])]),
      (
        [.toolCall(Conversation.ToolCall(id: "a", name: "b", arguments: "c"))],
        [.toolCall(Conversation.ToolCall(id: "a", name: "bc", arguments: ""))]
      ),
      (
        [.toolOutput(Conversation.ToolOutput(callID: "a", parts: [.text("b")]))],
        [.toolOutput(Conversation.ToolOutput(callID: "a", parts: [.text("c")]))]
      ),
    ]
    for (left, right) in pairs { #expect(digests(left).last != digests(right).last) }
  }

  /// Each pair is one conversation, as clients are known to send it twice.
  @Test func whatClientsChangeDoesNotCount() {
    let call = { (id: String, arguments: String) in
      Conversation.Item.toolCall(Conversation.ToolCall(id: id, name: "f", arguments: arguments))
    }
    let opening = ClientRewritings.retrievalOpening
    let pairs: [([Conversation.Item], [Conversation.Item])] = [
      ([.message(.developer, [.text("It is 9 o'clock.")]), user("a")], [user("a")]),
      ([user("a"), .reasoning("hm"), assistant("b")], [user("a"), assistant("b")]),
      ([user(" a\n"), assistant("b\n\n")], [user("a"), assistant("b")]),
      ([user("a"), assistant("<think>hm</think>\n\nb")], [user("a"), assistant("b")]),
      ([assistant("<details type=\"reasoning\" done=\"true\">\nhm\n</details>\nb")], [assistant("b")]),
      ([call("1", #"{"a": 1}"#)], [call("2", #"{"a":1}"#)]),
      ([user("\(opening), and so on.\n<context>\n<source>x</source>\n</context>\n\na")], [user("a")]),
      (
        [user("a"), assistant("The beginning, "), assistant("and the end.")],
        [user("a"), assistant("The beginning, and the end.")]
      ),
    ]
    for (left, right) in pairs { #expect(digests(left).last == digests(right).last) }
  }

  @Test func whatOnlyLooksLikeARewritingCounts() {
    let opening = ClientRewritings.retrievalOpening
    #expect(digests([user("\(opening) a")]).last != digests([user("a")]).last)
    #expect(digests([assistant("a <think>b</think>")]).last != digests([assistant("a")]).last)
    #expect(digests([assistant("<think>never ended")]).last != digests([assistant("")]).last)
  }

  /// The value is written to disk by others, so it must not change by accident.
  @Test func theDigestIsTheSameTomorrow() {
    let digest = "77845194e285bbd97654621c9354289b410dbdd8eb85f26e5de9adfa80403da9"
    #expect(ConversationDigest(owner: .everybody).hex == digest)
  }
}
