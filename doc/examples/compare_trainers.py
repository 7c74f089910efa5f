"""Train two trainers with three seeds each, and compare them."""

from nip import ExperimentSettings, HyperParameters, compare_runs, load_runs, run_experiment
from nip.comparison.tables import print_comparison

RL = {
    "frames_per_batch": 240,
    "minibatch_size": 60,
    "num_iterations": 4,
    "num_test_iterations": 1,
    "num_normalization_steps": 20,
}
SETTINGS = ExperimentSettings(runs_dir="runs", progress=False)


def main() -> None:
    """Train, compare, and load the metrics as a table."""
    for trainer in ("vanilla_ppo", "reinforce"):
        for seed in (1, 2, 3):
            parameters = HyperParameters(
                scenario="toy",
                dataset="witness",
                interaction_protocol="adp",
                trainer=trainer,
                seed=seed,
                rl=RL,
            )
            run_experiment(parameters, run_id=f"{trainer}-{seed}", settings=SETTINGS)

    comparison = compare_runs(["vanilla_ppo-*", "reinforce-*"])
    print_comparison(comparison)
    (pair,) = comparison.metrics[0].pairs
    print(f"three seeds could have shown a difference of {pair.difference.minimum_detectable:.2f}")

    table = load_runs()
    print(table[table.split == "test"].groupby(["group", "metric"])["value"].mean().head())


if __name__ == "__main__":
    main()
