// Reads the parts of messages, in the forms of both OpenAI APIs.

/// Reads content parts: texts, images and text files.
enum ContentPart {
  /// The longest path of Linux (PATH_MAX).
  private static let maxPathBytes = 4096
  /// Types of files that are text, besides those that begin with `text/`.
  private static let textTypes: Set<String> = [
    "application/json", "application/jsonl", "application/x-ndjson", "application/xml", "application/yaml",
    "application/x-yaml", "application/toml", "application/javascript", "application/x-javascript",
    "application/typescript", "application/x-sh", "application/sql", "application/csv",
  ]

  /// Reads one part; throws if it is of a kind that cannot be given to the model.
  static func read(_ reader: FieldReader) throws(APIError) -> Conversation.Part {
    if let text = reader.value.stringValue { return .text(text) }
    _ = try reader.object()
    let type = try reader.required("type")
    switch try type.shortString() {
    case "text", "input_text", "output_text": return .text(try reader.required("text").string())
    case "refusal": return .text(try reader.required("refusal").string())
    case "image_url", "input_image": return try image(reader)
    case "local_image":
      let file = try reader.required("path")
      return .image(url: fileURL(try file.shortString(maxBytes: maxPathBytes)), field: file.path)
    case "file": return try file(reader.optional("file") ?? reader, part: reader)
    case "input_file": return try file(reader, part: reader)
    case let other:
      throw .invalid(
        "Content parts of type '\(other.beginning(ofBytes: 40))' are not supported.", param: type.path)
    }
  }

  private static func image(_ reader: FieldReader) throws(APIError) -> Conversation.Part {
    if reader.optional("image_url") == nil, reader.optional("file_id") != nil {
      throw unsupportedFile(reader, "Files are not kept here: send the image itself, as 'image_url'.")
    }
    let image = try reader.required("image_url")
    let url = image.value.objectValue == nil ? image : try image.required("url")
    return .image(url: try url.string(), field: url.path)
  }

  /// Makes a path a `file:` URL. A relative path stays relative; it is resolved in the working directory.
  private static func fileURL(_ path: String) -> String {
    // In `file:` and a path with two slashes at its start, the first component would be read as a host.
    (path.hasPrefix("//") ? "file://" : "file:") + path.replacing("%", with: "%25")
  }

  // MARK: Files

  /// A text file becomes text under its name. `file` has the members of the file, `part` is what an error names.
  private static func file(_ file: FieldReader, part: FieldReader) throws(APIError) -> Conversation.Part {
    guard let data = file.optional("file_data") else {
      throw unsupportedFile(part, "Files are not kept or fetched here: send a text file itself, as 'file_data'.")
    }
    let name = try file.optional("filename")?.shortString(maxBytes: maxPathBytes) ?? "file"
    let (type, encoded) = try split(data)
    guard type.isEmpty || isText(type) || type == "application/octet-stream" else {
      throw unsupportedFile(
        part, "Only text files can be read, and this one is of the type '\(type.beginning(ofBytes: 80))'.")
    }
    guard let bytes = Base64.decode(encoded.utf8.span) else {
      throw .invalid("'\(data.path)' is not base64.", param: data.path)
    }
    guard !bytes.contains(0), let text = bytes.span.text else {
      throw unsupportedFile(part, "Only text files can be read, and this one is not UTF-8.")
    }
    return .text("Contents of the file \(name.printable):\n\(text)")
  }

  /// The media type in lower case, empty where none is told, and the base64 text of a `data:` URL (RFC 2397).
  private static func split(_ data: FieldReader) throws(APIError) -> (type: String, encoded: String) {
    let text = try data.string()
    guard text.utf8.span.hasPrefix(inAnyCase: "data:"), let comma = text.utf8.firstIndex(of: UInt8(ascii: ","))
    else {
      return ("", text)
    }
    let head = String(text[..<comma].dropFirst(5)).beginning(ofBytes: 200).split(separator: ";").map {
      $0.lowercased()
    }
    guard head.last == "base64" else { throw .invalid("'\(data.path)' is not base64.", param: data.path) }
    return (head.count > 1 ? head[0].trimmingSpaces() : "", String(text[text.utf8.index(after: comma)...]))
  }

  private static func isText(_ type: String) -> Bool {
    type.hasPrefix("text/") || textTypes.contains(type) || type.hasSuffix("+json") || type.hasSuffix("+xml")
  }

  private static func unsupportedFile(_ part: FieldReader, _ message: String) -> APIError {
    .invalid(message, param: part.path, code: "unsupported_file")
  }
}
