-- A file of its own: it keeps postings from being written for the moment in which it commits.
ALTER TABLE deposits
    ADD CONSTRAINT deposits_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES postings (id) NOT VALID;
