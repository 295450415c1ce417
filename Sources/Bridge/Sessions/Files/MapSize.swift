// Upper bounds of what sessions take in the session map, in bytes of JSON. To write the map to know its size would cost more
// the more sessions there are.

extension SessionKey {
  /// The id stands in the map twice.
  var mapBytes: Int { 2 * id.jsonBytesBound + owner.name.jsonBytesBound }
}

extension SessionRecord {
  /// Without the prompt.
  var mapBytes: Int { others.reduce(current.mapBytes + (title?.jsonBytesBound ?? 0)) { $0 + $1.mapBytes } }
}

extension ThreadRecord {
  /// The names of all members, those of the session too, six numbers of up to twenty digits, punctuation and indentation.
  private static let fixedMapBytes = 410

  var mapBytes: Int {
    let strings = [model, instructions, tools.isEmpty ? nil : tools.text].compactMap(\.self) + previous.map(\.raw)
    return strings.reduce(Self.fixedMapBytes + id.raw.jsonBytesBound) { $0 + $1.jsonBytesBound }
  }
}

extension SessionPrompt {
  var mapBytes: Int { text.jsonBytesBound }
}

extension String {
  /// An upper bound of the bytes it takes as a JSON string: escaped control characters take six, others two at most.
  fileprivate var jsonBytesBound: Int {
    let bytes = utf8.span
    var bound = 8 + 2 * bytes.count
    for index in bytes.indices where bytes[index] < 0x20 { bound += 4 }
    return bound
  }
}
