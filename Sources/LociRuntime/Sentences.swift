import LociModel
import LociStorage
import LociTransport

/// Runs a process's work; what stops it, from whichever floor, becomes one sentence with advice.
func inSentences(_ body: () throws -> Void) throws(LociError) {
    do {
        try body()
    } catch let error as StorageError {
        throw error.sentence
    } catch let error as TransportError {
        throw error.sentence
    } catch let error as LociError {
        throw error
    } catch {
        throw LociError(.internal, "\(error)")
    }
}

/// What work on files gives, or the sentence of what it met.
func inSentence<Value>(
    _ body: () throws(StorageError) -> Value
) throws(LociError) -> Value {
    do throws(StorageError) {
        return try body()
    } catch {
        throw error.sentence
    }
}

/// The same as a value, for an event.
func resultInSentence<Value>(
    _ body: () throws(StorageError) -> Value
) -> Result<Value, LociError> {
    Result { () throws(LociError) in try inSentence(body) }
}
