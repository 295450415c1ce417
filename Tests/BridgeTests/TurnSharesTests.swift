// What turns use by model and key: how many labels there can be, and that nothing is lost in what has none.

import Testing

@testable import Bridge

struct TurnSharesTests {
  private func turn(
    _ model: String, _ owner: Principal, _ result: TurnResult = .completed, tokens: TokenCounts = TokenCounts()
  ) -> EndedTurn {
    EndedTurn(
      result: result, outcome: "x", duration: .seconds(1), firstToken: .milliseconds(1), tokens: tokens,
      model: model, owner: owner)
  }

  private func labels(_ shares: TurnShares) -> [String] {
    shares.shares.keys.sorted().map { "\($0.model) \($0.key)" }
  }

  private func sum(_ shares: TurnShares) -> Int {
    shares.shares.values.reduce(0) { $0 + $1.turns.values.reduce(0, +) }
  }

  @Test func keysAreToldByTheirPlaces() {
    var shares = TurnShares(bounds: [1])
    let (hers, his) = (Principal(name: "hers"), Principal(name: "his"))
    shares.name([hers, his, hers])
    for owner in [his, hers, Principal(name: "nobody's")] { shares.add(turn("m", owner)) }
    #expect(labels(shares) == ["m 1", "m 2", "m other"])
  }

  @Test func furtherModelsAreCountedTogether() {
    var shares = TurnShares(bounds: [1])
    shares.name([.everybody])
    for number in 0..<100 { shares.add(turn("m\(number)", .everybody)) }
    #expect(Set(shares.shares.keys.map(\.model)).count == TurnShares.maxModels + 1)
    #expect(sum(shares) == 100)
    #expect(shares.shares[.init(model: "other", key: "1")]?.turns[.completed] == 100 - TurnShares.maxModels)
  }

  @Test func furtherKeysAndPairsAreCountedTogether() {
    var shares = TurnShares(bounds: [1])
    let owners = (0..<60).map { Principal(name: "\($0)") }
    shares.name(owners)
    for owner in owners { for number in 0..<30 { shares.add(turn("m\(number)", owner)) } }
    #expect(Set(shares.shares.keys.map(\.key)).count <= TurnShares.maxKeys + 1)
    // The last pair is the one for all that came too late.
    #expect(shares.shares.count == TurnShares.maxPairs + 1)
    #expect(sum(shares) == 60 * 30)
  }

  /// Whoever sends names that do not exist must not use up the labels.
  @Test func aNameThatHasAnsweredNothingHasNoLabel() {
    var shares = TurnShares(bounds: [1])
    shares.name([.everybody])
    for number in 0..<100 { shares.add(turn("made up \(number)", .everybody, .failed)) }
    shares.add(turn("m", .everybody))
    shares.add(turn("m", .everybody, .failed))
    shares.add(turn("m", .everybody, .cancelled))
    #expect(labels(shares) == ["m 1", "other 1"])
    #expect(
      shares.shares[.init(model: "m", key: "1")]?.turns == [.completed: 1, .failed: 1, .cancelled: 1])
  }

  @Test func aLongNameIsCut() {
    var shares = TurnShares(bounds: [1])
    shares.add(turn(String(repeating: "m", count: 5000), .everybody))
    #expect(shares.shares.keys.allSatisfy { $0.model.utf8.count == 100 })
  }

  @Test func tokensAndTimesAreAdded() throws {
    var shares = TurnShares(bounds: [1])
    shares.name([.everybody])
    let tokens = TokenCounts(input: 5, cachedInput: 3, output: 2, reasoning: 1)
    for _ in 0..<2 { shares.add(turn("m", .everybody, tokens: tokens)) }
    let share = try #require(shares.shares[.init(model: "m", key: "1")])
    #expect(share.tokens == TokenCounts(input: 10, cachedInput: 6, output: 4, reasoning: 2))
    #expect(share.firstToken.count == 2)
  }
}
