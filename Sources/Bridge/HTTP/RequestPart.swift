// What a parser finds in the bytes of requests.

/// One step in reading a request.
enum RequestPart {
  /// All input is used up.
  case needMore
  case head(RequestHead)
  /// A range of the input: decoded body bytes.
  case body(Range<Int>)
  case end
  /// The stream cannot be read any further.
  case failure(HTTPError)
}
