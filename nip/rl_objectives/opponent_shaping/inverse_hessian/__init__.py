"""Products of a vector with the inverse of a damped Hessian, without computing the inverse."""
