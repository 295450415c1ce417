// Binary search in an array that is kept in order.

extension Array {
  /// The first index whose element fits, in an array whose elements that do not fit come first.
  func partitioningIndex(where fits: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if fits(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
