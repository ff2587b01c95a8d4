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
