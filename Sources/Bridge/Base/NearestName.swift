// What somebody may have meant who has mistyped a name.

package enum NearestName {
  /// The one of `known` that is meant by `name`: the only one that begins so, or else the one that differs in the fewest
  /// letters, if these are few. Nil where none is like it.
  package static func among(_ known: [String], to name: String) -> String? {
    let longer = known.filter { $0.hasPrefix(name) }
    if name.utf8.count > 1, longer.count == 1 { return longer.first }
    // One letter in three may be wrong; more, and it would be a guess.
    let limit = min(3, max(1, (name.utf8.count + 1) / 3))
    let distances = known.map { (name: $0, distance: name.editDistance(to: $0)) }.filter { $0.distance <= limit }
    return distances.min { $0.distance < $1.distance }?.name
  }
}

extension String {
  /// Levenshtein distance of the first 64 bytes: insertions, deletions and replacements that turn one text into the other.
  func editDistance(to other: String) -> Int {
    let left = Array(utf8.prefix(64))
    let right = Array(other.utf8.prefix(64))
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let replaced = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
