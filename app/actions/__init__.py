"""Every write a person can cause, one verb each; they write rows and ring the dispatcher."""
