// A distribution, as Prometheus counts it.

/// A distribution over fixed bounds.
struct Histogram: Sendable {
  let bounds: [Double]
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(_ bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  mutating func observe(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  var count: Int { counts.reduce(0, +) }
}
