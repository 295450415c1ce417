// Randomness that is the same in every run.

/// A small generator (SplitMix64): a failing case fails again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Cuts `bytes` at random places into up to `maxPieces` pieces, empty ones included.
  mutating func pieces<T>(of elements: [T], upTo maxPieces: Int = 6) -> [ArraySlice<T>] {
    let cuts = (0..<Int.random(in: 0..<maxPieces, using: &self))
      .map { _ in Int.random(in: 0...elements.count, using: &self) }.sorted()
    return zip([0] + cuts, cuts + [elements.count]).map { elements[$0..<$1] }
  }
}
