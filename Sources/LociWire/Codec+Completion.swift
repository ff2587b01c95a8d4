import CWire
import LociBase
import LociModel

// Completions as protobuf-c lays them out: field for field.

extension Complete {
    init(_ layout: Loci__Complete) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection), steps: layout.steps,
            beta: try finite(layout.beta), probes: layout.probes, radius: try finite(layout.radius),
            recall: try finite(layout.recall))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Complete> {
        unsafe arena.place(
            Loci__Complete(
                base: ProtobufCMessage(), collection: arena.bytes(collection), steps: steps,
                beta: beta, probes: probes, radius: radius, recall: recall),
            loci__complete__init)
    }
}

extension CompletionAnswer {
    init(_ layout: Loci__CompletionAnswer) throws(LociError) {
        unsafe self.init(
            steps: layout.steps, hasConverged: layout.has_converged != 0,
            familiarity: try finite(layout.familiarity), beta: try finite(layout.beta),
            receipt: try Receipt(layout.receipt), isDegraded: layout.is_degraded != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CompletionAnswer> {
        unsafe arena.place(
            Loci__CompletionAnswer(
                base: ProtobufCMessage(), steps: steps, has_converged: hasConverged ? 1 : 0,
                familiarity: familiarity, beta: beta, receipt: receipt.layout(in: arena),
                is_degraded: isDegraded ? 1 : 0),
            loci__completion_answer__init)
    }
}

extension ShardComplete {
    init(_ layout: Loci__ShardComplete) throws(LociError) {
        unsafe self.init(
            space: layout.space, beta: try finite(layout.beta))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardComplete> {
        unsafe arena.place(
            Loci__ShardComplete(
                base: ProtobufCMessage(), space: space, beta: beta),
            loci__shard_complete__init)
    }
}

extension PartialCompletion {
    init(_ layout: Loci__PartialCompletion) throws(LociError) {
        unsafe self.init(
            maximum: try finite(layout.maximum), sum: try finite(layout.sum), rows: layout.rows,
            isDegraded: layout.is_degraded != 0, receipt: try Receipt(layout.receipt),
            mean: try finite(layout.mean),
            squaredDeviations: try finite(layout.squared_deviations),
            nearestSquaredNorm: try finite(layout.nearest_squared_norm))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__PartialCompletion> {
        unsafe arena.place(
            Loci__PartialCompletion(
                base: ProtobufCMessage(), maximum: maximum, sum: sum, rows: rows,
                is_degraded: isDegraded ? 1 : 0, receipt: receipt.layout(in: arena), mean: mean,
                squared_deviations: squaredDeviations,
                nearest_squared_norm: nearestSquaredNorm),
            loci__partial_completion__init)
    }
}
