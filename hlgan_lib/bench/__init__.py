"""Speed: ours beside a plain training loop, and how long a training will take on this machine."""
