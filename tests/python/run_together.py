"""Many samples in one run of the program, since each start of LibTorch, JAX or Keras costs a second or more. If the run fails, the
samples that make it fail are looked for, and fail alone."""


def run_together(samples, run, patience=8):
    """What `run(samples)`, a dict by the samples' names, gives. Where it raises, the samples are run in halves, down to single ones:
    one that raises by itself has its exception as its result. After `patience` of these no more are looked for."""
    assert len({sample.name for sample in samples}) == len(samples)
    results, bad = {}, []

    def attempt(part):
        if len(bad) == patience:
            results.update({sample.name: AssertionError(f"not run, since these fail: {', '.join(bad)}") for sample in part})
            return
        try:
            results.update(run(part))
        except Exception as error:
            if len(part) == 1:
                results[part[0].name] = error
                bad.append(part[0].name)
            else:
                attempt(part[: len(part) // 2])
                attempt(part[len(part) // 2 :])

    attempt(list(samples))
    return results


def result_of(results, sample):
    """The sample's own result; raises what its run did."""
    result = results[sample.name]
    if isinstance(result, Exception):
        raise result
    return result
