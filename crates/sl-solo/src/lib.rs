//! Solo merged mining as one source of work: templates, AuxPoW assembly, block submission.
