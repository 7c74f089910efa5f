"""Training several runs, which differ in their seeds only, with stacked networks."""
